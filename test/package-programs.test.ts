import { outcomeOf, projectOf } from './helpers/package-programs.ts';

// A few of the programs that `npm run packages` runs, of different kinds.
const programs = ['moment', 'tsyringe', 'msgpackr', 'lru-cache'];

let project: Awaited<ReturnType<typeof projectOf>>;
beforeAll(async () => {
  project = await projectOf(programs);
}, 120_000);
afterAll(() => project[Symbol.asyncDispose]());

test.each(programs)('a closure over what %s made answers as it does here, or is refused with a fix that works', async (name) => {
  const { verdict, fixed, message } = await outcomeOf(project, name);
  if (verdict === 'refused') expect(message).toContain('create it in `setup`');
  expect(['right', 'refused']).toContain(verdict);
  if (verdict === 'refused') expect(fixed).toMatchObject({ verdict: 'right' });
});
