import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur3Words } from '../../src/kit/murmur3.ts';

function hex(text: string): string {
  const { low, high } = murmur3Words(Buffer.from(text));
  return [high, low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

test('texts of every length around a block hash as with Guava', () => {
  // Hashing.murmur3_128().hashString(text, UTF_8).asLong() of Guava 32.0.1-jre, as hex.
  const known = {
    '': '0000000000000000',
    '0': '2ac9debed546a380',
    '01': '649e4eaa7fc1708e',
    '0123456': '13eb9fb82606f7a6',
    '01234567': '8236039b7387354d',
    '012345678': '4c1e87519fe738ba',
    '0123456789abcde': 'a62dd5f6c0bf2351',
    '0123456789abcdef': '4be06d94cf4ad1a7',
    '0123456789abcdefg': '8e32612daa45f9de',
    '0123456789abcdefghijklm': '25239974a83067c2',
    '0123456789abcdefghijklmn': '354bbd1b765bad7a',
    '0123456789abcdefghijklmno': '04c8092e7d043d06',
    '0123456789abcdefghijklmnopqrstu': 'b828780c1a6e0542',
    '0123456789abcdefghijklmnopqrstuv': '2f285ccec0edf1f7',
    '0123456789abcdefghijklmnopqrstuvw': 'e82017bf95741128',
    '0123456789abcdefghijklmnopqrstuvwxyz': 'efaada68afc26d95',
    'GroupF#TopicF': 'ae6252d07eb75327',
    '组#主题': 'd34e17c36ca1ea73',
  };
  for (const [text, hash] of Object.entries(known)) assert.equal(hex(text), hash, JSON.stringify(text));
});
