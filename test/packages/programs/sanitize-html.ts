import sanitize from 'sanitize-html';
sanitize.defaults.allowedTags.push('blink');
const options = { allowedTags: ['b', 'i'], transformTags: { i: 'b' } };
export const inputs = ['<i>a</i><script>x</script><blink>b</blink>'];
export const predictOne = (s: string) => [sanitize(s, options), sanitize(s)];
