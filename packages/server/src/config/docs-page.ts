/** docs/configuration.md out of the declared entries. */
import type { ConfigEntries, ConfigEntry } from './config-entry.ts';

export interface DocsFamily {
  readonly title: string;
  readonly entries: ConfigEntries;
}

export interface DocsRole {
  readonly title: string;
  /** A paragraph under the title. */
  readonly intro: string;
  readonly families: readonly DocsFamily[];
}

/** The page: per role and family a table of what has an effect, then one line per reason of what has none. */
export function docsPage(intro: string, roles: readonly DocsRole[]): string {
  const parts = [`# Configuration\n\n${intro}\n`];
  for (const role of roles) {
    parts.push(`## ${role.title}\n\n${role.intro}\n`);
    for (const family of role.families) parts.push(docsFamily(family));
  }
  return parts.join('\n');
}

function docsFamily(family: DocsFamily): string {
  const effective = family.entries.filter((entry) => entry.effect === 'implemented');
  const lines = [`### ${family.title}`, ''];
  if (effective.length > 0) {
    lines.push('| Key | Values | Default | Update | Why change it |', '|---|---|---|---|---|');
    for (const entry of effective) lines.push(docsRow(entry));
    lines.push('');
  }
  for (const [why, keys] of inertByReason(family.entries)) lines.push(`- No effect, ${cell(why)}: ${keys.join(', ')}.`);
  if (lines.at(-1) !== '') lines.push('');
  return lines.join('\n');
}

function docsRow(entry: ConfigEntry): string {
  const cells = [`\`${entry.key}\``, valuesText(entry), defaultText(entry), entry.reloadable ? 'at once' : 'next start', entry.doc];
  return `| ${cells.map(cell).join(' | ')} |`;
}

function valuesText(entry: ConfigEntry): string {
  const kind = entry.values?.map((value) => `\`${value}\``).join(', ') ?? entry.type;
  const unit = entry.unit === undefined ? '' : `, ${entry.unit}`;
  return `${kind}${unit}${rangeText(entry)}`;
}

function rangeText(entry: ConfigEntry): string {
  const [min, max] = entry.clamp ?? [entry.min, entry.max];
  if (min === undefined && max === undefined) return '';
  if (max === undefined) return `, at least ${min}`;
  return min === undefined ? `, at most ${max}` : `, ${min} to ${max}`;
}

function defaultText(entry: ConfigEntry): string {
  if (entry.defaultText !== undefined) return entry.defaultText;
  return entry.default === undefined || entry.default === '' ? 'unset' : `\`${entry.default}\``;
}

function inertByReason(entries: ConfigEntries): Map<string, string[]> {
  const byReason = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.effect === 'implemented') continue;
    const keys = byReason.get(entry.effect.inert) ?? [];
    keys.push(`\`${entry.key}\``);
    byReason.set(entry.effect.inert, keys);
  }
  return byReason;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
