import nlp from 'compromise';
nlp.extend({ words: { kermit: 'FirstName', zorp: 'Verb' } } as any);
export const inputs = ['kermit walks home', 'they zorp'];
export const predictOne = (s: string) => [
  nlp(s).people().out('array'),
  nlp(s).verbs().out('array'),
  nlp(s).sentences().toPastTense().text(),
];
