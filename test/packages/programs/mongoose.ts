import mongoose from 'mongoose';
const make = () => {
  const schema = new mongoose.Schema({
    name: { type: String, required: true, lowercase: true },
    age: { type: Number, min: [0, 'negative'] },
  });
  schema.virtual('label').get(function () {
    return `${this.name}!`;
  });
  return { User: mongoose.models.User ?? mongoose.model('User', schema) };
};
const { User } = make();
export const inputs = ['{"name":"BO","age":1}', '{"age":-1}'];
const check = (s: string, Model: any) => {
  const user = new Model(JSON.parse(s));
  return [user.label ?? null, Object.keys(user.validateSync()?.errors ?? {})];
};
export const predictOne = (s: string) => check(s, User);
export const fixed = { setup: make, predictOne: (s: string, { User }: ReturnType<typeof make>) => check(s, User) };
