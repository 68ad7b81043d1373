import { BSON, Long, ObjectId } from 'bson';
const id = new ObjectId('64b64b64b64b64b64b64b64b');
const limit = Long.fromNumber(7);
export const inputs = ['x'];
export const predictOne = (s: string) => [
  id.toHexString(),
  limit.add(1).toString(),
  BSON.deserialize(BSON.serialize({ s, id })),
  new ObjectId().equals(new ObjectId()),
];
