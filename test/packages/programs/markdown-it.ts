import MarkdownIt from 'markdown-it';
const md = new MarkdownIt({ html: true, typographer: true });
md.renderer.rules.strong_open = () => '<b class="x">';
md.renderer.rules.strong_close = () => '</b>';
md.use((it: any) =>
  it.core.ruler.push('shout', (state: any) => {
    for (const token of state.tokens)
      if (token.type === 'inline') token.children.push(Object.assign(new state.Token('text', '', 0), { content: '!' }));
  }),
);
export const inputs = ['**a** "b"', '# c'];
export const predictOne = (s: string) => md.render(s);
