import { EventEmitter } from 'eventemitter3';
const bus = new EventEmitter();
const heard: string[] = [];
bus.on('word', (word: string) => heard.push(word));
bus.emit('word', 'before');
export const inputs = ['a'];
export const predictOne = (s: string) => {
  bus.emit('word', s);
  return [heard.at(0), heard.at(-1), bus.listenerCount('word')];
};
