import { handleAll, retry } from 'cockatiel';
const policy = retry(handleAll, { maxAttempts: 2 });
export const inputs = ['a'];
export const predictOne = async (s: string) => {
  let tries = 0;
  const answer = await policy.execute(() => {
    if (++tries < 2) throw new Error('once more');
    return s;
  });
  return [answer, tries];
};
