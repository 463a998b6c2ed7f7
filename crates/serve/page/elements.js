// Elements of the page, made without a word of HTML: what comes from a file or a model stays text.

/** An element with properties, `data-` and `aria-` among them, and what is in it. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'class') made.className = value;
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null));
  return made;
}

/** A text from outside, which may run from right to left, and must not turn what stands around it. */
export function foreign(text) {
  return element('bdi', {}, text);
}

/** A probability as people read it, with the number itself. */
export function percent(probability) {
  return element('data', { value: String(probability) }, `${(100 * probability).toFixed(1)} %`);
}
