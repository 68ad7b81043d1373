import jwt from 'jsonwebtoken';
const options = { algorithm: 'HS256' as const, noTimestamp: true };
export const inputs = ['a'];
export const predictOne = (s: string) => {
  const token = jwt.sign({ s }, 'not so hidden', options);
  try {
    return [jwt.verify(token, 'not so hidden'), jwt.verify(token, 'x')];
  } catch (e: any) {
    return [e instanceof jwt.JsonWebTokenError, e.message];
  }
};
