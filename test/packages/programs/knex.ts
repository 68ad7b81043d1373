import knex from 'knex';
const make = () => ({ db: knex({ client: 'pg' }) });
const { db } = make();
export const inputs = ['1'];
export const predictOne = (s: string) =>
  db('users')
    .where({ id: Number(s) })
    .select('name')
    .toString();
export const fixed = {
  setup: make,
  predictOne: (s: string, { db }: ReturnType<typeof make>) =>
    db('users')
      .where({ id: Number(s) })
      .select('name')
      .toString(),
};
