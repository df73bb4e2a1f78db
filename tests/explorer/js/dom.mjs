// As much of a document as parts of the workbench need, with nothing drawn.

class Fake extends EventTarget {
  children = [];
  attributes = {};
  style = { setProperty() {} };
  classList = { add() {}, toggle() {} };

  append(...more) {
    this.children.push(...more);
    for (const child of more) if (child instanceof Fake) child.parent = this;
  }
  prepend() {}
  replaceChildren(...all) {
    for (const child of this.children) child.parent = null;
    this.children = [];
    this.append(...all);
  }
  replaceWith(other) {
    const { parent } = this;
    parent.children[parent.children.indexOf(this)] = other;
    Object.assign(other, { parent });
    this.parent = null;
  }
  remove() {
    this.parent.children.splice(this.parent.children.indexOf(this), 1);
    this.parent = null;
  }
  get lastChild() {
    return this.children.at(-1);
  }
  insertRow() {
    return grown(this);
  }
  insertCell() {
    return grown(this);
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  getContext() {
    const getImageData = (x, y, width, height) =>
      ({ data: new Uint8ClampedArray(4 * width * height) });
    return { putImageData() {}, drawImage() {}, fillRect() {}, getImageData };
  }
  querySelector(selector) {
    return (this.parts ??= parts())(selector);
  }
  setPointerCapture() {}
  focus() {}
  scrollIntoView() {}
}

function grown(parent) {
  const made = new Fake();
  parent.append(made);
  return made;
}

/** Finds a part of a layout by its selector: each that is asked for is there. */
function parts() {
  const known = {};
  return (selector) => (known[selector] ??= new Fake());
}

/** Put a document in place until the test has ended; returns what finds its parts. */
export function page(context) {
  const given = {
    document: { createElement: () => new Fake() },
    Option: class extends Fake {
      constructor(textContent, value) {
        super();
        Object.assign(this, { textContent, value });
      }
    },
    ImageData: class {},
    addEventListener() {},
  };
  Object.assign(globalThis, given);
  context.after(() => Object.keys(given).forEach((name) => delete globalThis[name]));
  return parts();
}

/** Tell an element of an event, with these properties. */
export function tell(element, type, properties = {}) {
  const event = new Event(type, { cancelable: true });
  for (const name in properties)
    Object.defineProperty(event, name, { value: properties[name] });
  element.dispatchEvent(event);
}

/** What stands in an element: its buttons and others, however deep. */
export const inside = (element) =>
  element.children.filter((child) => child instanceof Fake)
    .flatMap((child) => [child, ...inside(child)]);

/** The one in an element that says this. */
export const saying = (element, text) =>
  inside(element).find(({ textContent }) => textContent === text);
