import bcrypt from 'bcryptjs';
bcrypt.setRandomFallback((length: number) => new Array(length).fill(7));
const hash = bcrypt.hashSync('yes', 4);
export const inputs = ['yes', 'no'];
export const predictOne = (s: string) => [bcrypt.compareSync(s, hash), bcrypt.getRounds(hash)];
