/** `node scripts/config-docs.ts` writes docs/configuration.md from the declared keys. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brokerFamilies } from '../packages/server/src/config/broker-entries.ts';
import { docsPage } from '../packages/server/src/config/docs-page.ts';
import { namesrvEntries } from '../packages/server/src/namesrv/namesrv-config.ts';

export const configurationDocsPath = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));

const INTRO = `Brokers and NameServers read Java Properties files with Apache RocketMQ's keys (\`-c broker.conf\`). This page is written
by \`node scripts/config-docs.ts\` from the declarations in the code.

- A key that nobody knows is one warning that names the nearest known key; it is kept and shown by GET_BROKER_CONFIG.
- A value that cannot be read is a warning, and the default stays. Of a boolean everything but \`true\` is false, with a warning.
- A known key without effect here is accepted and shown; a warning says why when it is set to something else than its default.
- \`--strict-config\` turns unknown keys and unreadable values into errors.
- Files that ask for a slave, DLedger, a controller, a broker container, access control or RocksDB stop with a sentence that names the missing feature.
- \`mqadmin updateBrokerConfig\` changes the keys marked "at once" in the running broker; the others are stored for the next start.
  The file keeps its comments; its previous content is beside it as \`.bak\`. Keys named by \`configBlackList\` are refused.
- \`perigee broker --shards N\` reads one file for all shards and derives ports, names and folders ([shards.md](shards.md)); what
  \`mqadmin updateBrokerConfig\` changes in one of them is kept in its own \`config/broker.properties\` and counts over the common file.`;

/** The text of the page. */
export function configurationDocs(): string {
  return docsPage(INTRO, [
    { title: 'Broker', intro: 'Keys of `perigee broker`, `mqbroker` and `perigee up -c`.', families: brokerFamilies },
    {
      title: 'NameServer',
      intro: 'Keys of `perigee namesrv` and `mqnamesrv`.',
      families: [{ title: 'All keys', entries: namesrvEntries }],
    },
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(configurationDocsPath, configurationDocs());
