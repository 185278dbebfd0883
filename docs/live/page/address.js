// The fields of the form in the fragment of the address, so that a network can be sent as a link. A fragment does not
// reach the server. Fields with their initial value are left out, but for the network.

/** `{name: value}` of all fields; a checkbox is "1" or empty. */
export function valuesOf(form) {
  return Object.fromEntries(fields(form).map((field) => [field.name, value(field)]));
}

export function fragmentOf(form) {
  const named = fields(form).filter((field) => field.name === "network" || value(field) !== initial(field));
  return `#${new URLSearchParams(named.map((field) => [field.name, value(field)]))}`;
}

/** Fills the form from a fragment; what it does not name gets its initial value. */
export function fill(form, fragment) {
  form.reset();
  const given = new URLSearchParams(fragment.slice(1));
  for (const field of fields(form)) {
    const text = given.get(field.name);
    if (text === null) continue;
    if (field.type === "checkbox") field.checked = text !== "";
    else if (!field.options || [...field.options].some((option) => option.value === text)) field.value = text;
  }
}

function fields(form) {
  return [...form.elements].filter((field) => field.name);
}

function value(field) {
  if (field.type === "checkbox") return field.checked ? "1" : "";
  return field.value;
}

function initial(field) {
  if (field.type === "checkbox") return field.defaultChecked ? "1" : "";
  return field.options ? field.options[0].value : field.defaultValue;
}
