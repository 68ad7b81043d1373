import ejs from 'ejs';
ejs.delimiter = '?';
const page = ejs.compile('<p><?= name ?></p>');
export const inputs = ['bo', '<b>'];
export const predictOne = (s: string) => [page({ name: s }), ejs.render('<?- name ?>', { name: s })];
