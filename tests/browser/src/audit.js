// What a page must hold whatever is on it; answers with a list of faults.
(() => {
  const faults = [];
  document.querySelectorAll('details').forEach(e => { e.open = true; });
  const name = e => `${e.tagName.toLowerCase()}.${e.getAttribute('class') ?? ''} "${e.textContent.trim().slice(0, 40)}"`;
  const width = document.documentElement.clientWidth;

  // Nothing is wider than the page but what scrolls by itself.
  if (document.documentElement.scrollWidth > width)
    faults.push(`the page is ${document.documentElement.scrollWidth} wide, not ${width}`);
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('.scroll') && !e.matches('.scroll') || e.closest('.hidden, .skip, svg *, thead')) continue;
    const box = e.getBoundingClientRect();
    if (box.width && (box.right > width + 1 || box.left < -1))
      faults.push(`from ${box.left} to ${box.right} of ${width}: ${name(e)}`);
  }

  // Text stands out from what is behind it: 4.5 to 1, WCAG 2.2, 1.4.3.
  const parts = colour => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    const [r, g, b, a = 1] = numbers;
    return colour.startsWith('color(') ? [r, g, b, a] : [r / 255, g / 255, b / 255, a];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = e => {
    if (!e) return [1, 1, 1, 1];
    const colour = parts(getComputedStyle(e).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, behind(e.parentElement));
  };
  const light = colour => {
    const [r, g, b] = colour.map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const seen = new Set();
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (e.closest('.hidden, .skip, title')) continue;
    const style = getComputedStyle(e);
    const text = parts(e.ownerSVGElement ? style.fill : style.color), back = behind(e);
    const [a, b] = [light(over(text, back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const key = `${e.tagName}${e.getAttribute('class')}${text}${back}`;
    if (ratio < 4.5 && !seen.has(key)) faults.push(`contrast ${ratio.toFixed(2)}: ${name(e)}`);
    seen.add(key);
    const matrix = e.ownerSVGElement ? e.getScreenCTM() : {a: 1, b: 0};
    // Also of what is turned.
    const drawn = Math.hypot(matrix.a, matrix.b);
    if (parseFloat(style.fontSize) * drawn < 10.5) faults.push(`${style.fontSize}, drawn ${drawn}: ${name(e)}`);
  }

  // Curves are drawn, and marks too.
  const drawn = document.querySelectorAll('.chart .line, .chart .mark, .strip .mark');
  for (const e of drawn) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!(box.width > 0 && box.height >= 0) || !(e.getTotalLength() > 0)) faults.push(`not drawn: ${name(e)}`);
    if (style.stroke === 'none' && style.fill === 'none') faults.push(`without colour: ${name(e)}`);
  }

  // For who cannot see: alternatives, scopes, headings in order.
  for (const e of document.querySelectorAll('img')) {
    if (!e.alt) faults.push('a picture without alt');
    if (!(e.complete && e.naturalWidth > 0)) faults.push(`not loaded: ${e.alt}`);
  }
  for (const e of document.querySelectorAll('th:not([scope]), svg:not([aria-label], [aria-hidden]), audio:not([aria-label])'))
    faults.push(`unnamed: ${name(e)}`);
  let level = 0;
  for (const e of document.querySelectorAll('h1, h2, h3, h4')) {
    if (e.tagName[1] > level + 1) faults.push(`from h${level} to ${name(e)}`);
    level = +e.tagName[1];
  }
  for (const e of document.querySelectorAll('.scroll')) {
    if (e.tabIndex !== 0) faults.push(`not reached by keyboard: ${name(e)}`);
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  if (new Set(ids).size !== ids.length) faults.push('an id is there twice');
  if ([...document.scripts].some(e => !e.src)) faults.push('there is a script in the page');
  return faults;
})()
