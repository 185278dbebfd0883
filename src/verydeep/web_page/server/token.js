// The bearer token of the server, where it needs one: asked for once, and kept until the tab is closed.

const KEY = "token";

let asking = null;

export const token = () => sessionStorage.getItem(KEY);

/** Show a form for the token, below `message`; done when it is given. Requests that wait share the form. */
export function askForToken(message) {
  asking ??= new Promise((done) => {
    const form = element("form", { id: "login" });
    const input = element("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
    input.pattern = "\\s*[\\x21-\\x7e]+\\s*"; // what a header can hold: fetch throws for other characters
    input.title = "ASCII characters without spaces";
    const row = element("div", { className: "row" });
    row.append(input, element("button", { textContent: "Use it" }));
    form.append(element("p", { textContent: message, role: "alert" }));
    form.append(element("label", { htmlFor: "token", textContent: "Token of the server" }), row);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, input.value.trim());
      form.remove();
      asking = null;
      done();
    });
    document.querySelector("header").after(form);
    input.focus();
  });
  return asking;
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
