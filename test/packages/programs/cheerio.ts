import * as cheerio from 'cheerio';
const $ = cheerio.load('<ul><li class="a">1</li><li>2</li></ul>');
export const inputs = ['li', '.a', 'p'];
export const predictOne = (s: string) => [$(s).length, $(s).first().text(), cheerio.load(`<p>${s}</p>`)('p').text()];
