import CryptoJS from 'crypto-js';
const key = CryptoJS.enc.Hex.parse('000102030405060708090a0b0c0d0e0f');
export const inputs = ['hello'];
export const predictOne = (s: string) => [
  CryptoJS.SHA256(s).toString(),
  CryptoJS.HmacSHA1(s, key).toString(),
  CryptoJS.AES.decrypt(CryptoJS.AES.encrypt(s, key, { iv: key }).toString(), key, { iv: key }).toString(CryptoJS.enc.Utf8),
];
