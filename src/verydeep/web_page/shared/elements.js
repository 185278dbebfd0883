// What all parts of the page use: its elements by their id, percentages, and lines of errors.

export const at = (id) => document.getElementById(id);

export const percent = (share) => `${(100 * share).toFixed(1)} %`;

export const status = (text) => (at("status").textContent = text);

export function showError(message) {
  const line = document.createElement("p");
  line.textContent = message;
  at("errors").append(line);
}

export const clearErrors = () => at("errors").replaceChildren();
