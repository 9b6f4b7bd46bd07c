// Making elements, and changing those that are there into what they should be. Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Signs that turn the order of what follows around, which could make a name look like another, or show a payload in a wrong order.
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;
const legible = (child) => (typeof child === "string"
  ? child.replace(TURNING, (sign) => `\\u${sign.charCodeAt(0).toString(16)}`) : child);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "checked") element.checked = value;
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...given(children).map(legible));
  return element;
}

// What people have changed since they were made: the text in a field, what they have unfolded.
const isTheirs = (element, name) => name === "open" || (name === "value" && element instanceof HTMLInputElement);
const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
const areAlike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

const given = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

// Give a parent these children, keeping what is there wherever it can be kept: focus, selection and scroll stay.
export function show(parent, children) {
  change(parent, given(children).map((child) => (child instanceof Node ? child : document.createTextNode(legible(child)))));
}

function change(parent, wanted) {
  const keyed = new Map();
  for (const child of parent.childNodes) if (keyOf(child) !== null) keyed.set(keyOf(child), child);
  let place = parent.firstChild;
  for (const next of wanted) {
    let there = keyOf(next) === null ? place : keyed.get(keyOf(next));
    if (there && !areAlike(there, next)) there = null;
    if (!there) {
      parent.insertBefore(next, place);
      continue;
    }
    if (there === place) place = place.nextSibling;
    else parent.insertBefore(there, place);
    turn(there, next);
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function turn(there, next) {
  if (there.nodeType !== Node.ELEMENT_NODE) {
    if (there.nodeValue !== next.nodeValue) there.nodeValue = next.nodeValue;
    return;
  }
  for (const { name } of [...there.attributes]) {
    if (!next.hasAttribute(name) && !isTheirs(there, name)) there.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (there.getAttribute(name) !== value && !isTheirs(there, name)) there.setAttribute(name, value);
  }
  if (there instanceof HTMLInputElement && there.type === "checkbox") there.checked = next.checked;
  change(there, [...next.childNodes]);
}
