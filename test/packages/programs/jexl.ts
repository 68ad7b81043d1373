import { Jexl } from 'jexl';
const jexl = new Jexl();
jexl.addTransform('upper', (value: string) => value.toUpperCase());
jexl.addBinaryOp('_=', 20, (left: string, right: string) => left.toLowerCase() === right.toLowerCase());
const check = jexl.compile('name|upper + (name _= "BO" ? "!" : "?")');
export const inputs = ['bo', 'al'];
export const predictOne = (s: string) => check.evalSync({ name: s });
