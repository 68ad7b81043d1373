import * as yup from 'yup';
yup.setLocale({ mixed: { required: 'missing!' }, number: { min: 'under ${min}' } });
yup.addMethod(yup.string, 'upper', function (this: yup.StringSchema) {
  return this.transform((value: string) => value?.toUpperCase());
});
const schema = yup.object({ n: yup.number().min(3).required(), s: (yup.string() as any).upper() });
export const inputs = ['{"n":5,"s":"x"}', '{"n":1}', '{}'];
export const predictOne = (s: string) => {
  try {
    return schema.validateSync(JSON.parse(s));
  } catch (e: any) {
    return e.errors;
  }
};
