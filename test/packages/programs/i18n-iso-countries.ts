import countries from 'i18n-iso-countries';
import de from 'i18n-iso-countries/langs/de.json' with { type: 'json' };
countries.registerLocale(de);
export const inputs = ['FR', 'XX'];
export const predictOne = (s: string) => [countries.getName(s, 'de') ?? null, countries.langs()];
