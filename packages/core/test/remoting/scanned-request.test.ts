import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fields, str } from '@perigee/core/protocol/command';
import { encodeBinaryHeader } from '@perigee/core/protocol/header-binary';
import { encodeJsonHeader } from '@perigee/core/protocol/header-json';
import { FieldTable, RequestView, scanBinaryHeader, scanJsonHeader } from '@perigee/core/protocol/header-scan';
import type { Peer } from '@perigee/core/remoting/handler';
import { ScannedRequest } from '@perigee/core/remoting/scanned-request';

const FIELDS = { topic: str('topic') } satisfies Fields;

for (const [name, type, encode, scan] of [
  ['JSON', 0, encodeJsonHeader, scanJsonHeader],
  ['binary', 1, encodeBinaryHeader, scanBinaryHeader],
] as const)
  test(`a request whose ${name} header was scanned tells the rest too, also when the chunk that it came in is used again`, () => {
    const extFields = { topic: 'T', other: 'ü "x"' };
    const header = encode({ code: 40, language: 'GO', version: 401, opaque: -3, flag: 2, remark: 'why', extFields });
    const bytes = Buffer.concat([Buffer.from('before'), header, Buffer.from('body')]);
    const headerStart = 6;
    const headerEnd = headerStart + header.length;
    const view = new RequestView();
    view.bytes = bytes;
    assert.ok(scan(view, bytes, headerStart, headerEnd, new FieldTable(FIELDS)));
    const request = new ScannedRequest({} as Peer, view, { bytes, type, headerStart, headerEnd, end: bytes.length });
    assert.equal(request.body.toString(), 'body');
    request.detach();
    bytes.fill(0, headerStart, headerEnd);
    const { code, opaque, version, oneway, language, remark, ext } = request;
    assert.deepEqual(
      { code, opaque, version, oneway, language, remark, ext: { ...ext } },
      { code: 40, opaque: -3, version: 401, oneway: true, language: 'GO', remark: 'why', ext: extFields },
    );
  });
