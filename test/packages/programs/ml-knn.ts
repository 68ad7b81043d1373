import KNN from 'ml-knn';
const knn = new KNN(
  [
    [0, 0],
    [0, 1],
    [5, 5],
    [5, 6],
  ],
  [0, 0, 1, 1],
  { k: 2 },
);
export const inputs = ['0 0', '5 5'];
export const predictOne = (s: string) => knn.predict([s.split(' ').map(Number)]);
