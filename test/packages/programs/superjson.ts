import superjson from 'superjson';
class Money {
  constructor(readonly cents: number) {}
}
superjson.registerCustom<Money, number>(
  {
    isApplicable: (v): v is Money => v instanceof Money,
    serialize: ({ cents }) => cents,
    deserialize: (cents) => new Money(cents),
  },
  'money',
);
export const inputs = ['5'];
export const predictOne = (s: string) => {
  const back: any = superjson.parse(superjson.stringify({ m: new Money(Number(s)), d: new Date(0), big: 1n }));
  return [back.m instanceof Money, back.m.cents, back.d instanceof Date, String(back.big)];
};
