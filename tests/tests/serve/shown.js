// What the page shows, in the form in which the server answers.
[...document.querySelectorAll('.entry')].map(entry => ({
  name: entry.querySelector('h3').textContent,
  verdict: entry.querySelector('.verdict').textContent,
  answers: [...entry.querySelectorAll('.answer')].map(answer => {
    const all = (selector, one) => {
      const found = [...answer.querySelectorAll(selector)];
      return found.length ? found.map(one) : undefined;
    };
    const number = (element, selector = 'data') => Number(element.querySelector(selector).value);
    const wide = element => element.getBoundingClientRect().width;
    const said = answer.querySelector('.said')?.cloneNode(true);
    said?.querySelectorAll('small').forEach(small => small.remove());
    return {
      model: answer.querySelector('h4').textContent,
      labels: all('.bars li', row => ({ label: row.querySelector('bdi').textContent, probability: number(row) })),
      bars: all('.bar', bar => wide(bar.firstChild) / wide(bar)),
      percents: all('.bars data', data => data.textContent),
      values: all('.values dt', dt => ({ name: dt.textContent, value: number(dt.nextElementSibling) })),
      words: all('.words button', button => ({
        word: button.querySelector('bdi').textContent,
        start: Number(button.dataset.start), end: Number(button.dataset.end), probability: number(button),
      })),
      entities: all('mark', mark => ({
        entity_group: mark.querySelector('small bdi').textContent, score: number(mark),
        word: mark.querySelector('bdi').textContent,
      })),
      text: said?.textContent,
      fault: answer.querySelector('.fault')?.textContent,
    };
  }),
}))
