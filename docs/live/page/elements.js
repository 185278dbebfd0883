// Elements of the page, and new ones: text is always text, never HTML.

export function at(id) {
  return document.getElementById(id);
}

/** A new element with properties and children, which are elements or texts. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Shows `text` in the element; an empty one hides it. */
export function say(id, text) {
  at(id).textContent = text;
  at(id).hidden = !text;
}

/** The address of `content` as a file in memory; the one that the element had before is given up. */
export function setFile(owner, attribute, content, type) {
  if (owner[attribute].startsWith("blob:")) URL.revokeObjectURL(owner[attribute]);
  owner[attribute] = URL.createObjectURL(new Blob([content], { type }));
}
