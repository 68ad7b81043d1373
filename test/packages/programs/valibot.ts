import * as v from 'valibot';
v.setSpecificMessage(v.minLength, (issue) => `at least ${issue.requirement}`);
v.setGlobalConfig({ abortEarly: true });
const Login = v.object({ name: v.pipe(v.string(), v.minLength(3)), age: v.optional(v.number(), 1) });
export const inputs = ['{"name":"bob"}', '{"name":"b"}', '{}'];
export const predictOne = (s: string) => {
  const found = v.safeParse(Login, JSON.parse(s));
  return found.success ? found.output : found.issues.map(({ message }) => message);
};
