/** Delayed messages: recall, and what slaves and administrators ask of the timer (remoting.md 7, 9; broker.md 17). */
import { command, str } from '../command.ts';

export const recallMessage = command({
  code: 370,
  name: 'RECALL_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Takes back a timer message that is not delivered yet.',
  request: {
    producerGroup: str('producer group').optional(),
    topic: str('topic of the message'),
    recallHandle: str('what the send was answered').optional(),
    brokerName: str('broker that has the message').as('bname').optional(),
  },
  response: { msgId: str('UNIQ_KEY of the message') },
  access: 'PUB topic',
});

export const getAllDelayOffset = command({
  code: 45,
  name: 'GET_ALL_DELAY_OFFSET',
  from: 'broker',
  to: 'broker',
  doc: 'Reads how far each delay level is delivered.',
  request: {},
  response: {},
  responseBody: 'delayOffset.json',
});

export const getTimerCheckPoint = command({
  code: 60,
  name: 'GET_TIMER_CHECK_POINT',
  from: 'broker',
  to: 'broker',
  doc: 'Reads how far the timer is.',
  request: {},
  response: {},
  responseBody: '56 bytes, as in config/timercheck',
});

export const getTimerMetrics = command({
  code: 61,
  name: 'GET_TIMER_METRICS',
  from: 'broker',
  to: 'broker',
  doc: 'Reads how many messages of each topic wait in the timer.',
  request: {},
  response: {},
  responseBody: 'timermetrics JSON',
});

export const switchTimerEngine = command({
  code: 5001,
  name: 'SWITCH_TIMER_ENGINE',
  from: 'admin',
  to: 'broker',
  doc: 'Chooses where timer messages wait: F for the wheel in files, R for RocksDB.',
  request: { engine: str('F or R').as('E_T').optional() },
  response: {},
});

/** What a broker serves of this file. */
export const delayCommands = { recallMessage, getAllDelayOffset, getTimerCheckPoint, getTimerMetrics, switchTimerEngine } as const;
