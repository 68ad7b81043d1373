import natural from 'natural';
const classifier = new natural.BayesClassifier();
for (const [text, label] of [
  ['buy cheap pills', 'spam'],
  ['cheap watches', 'spam'],
  ['see you at lunch', 'ham'],
  ['lunch tomorrow', 'ham'],
] as const)
  classifier.addDocument(text, label);
classifier.train();
export const inputs = ['cheap lunch pills', 'lunch with you'];
export const predictOne = (s: string) => [
  classifier.classify(s),
  natural.PorterStemmer.stem(s.split(' ')[0]!),
  natural.JaroWinklerDistance(s, 'lunch').toFixed(4),
];
