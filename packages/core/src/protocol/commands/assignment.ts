/** Queue assignment by the broker (remoting.md 7.9; broker.md 19). */
import { command } from '../command.ts';

export const queryAssignment = command({
  code: 400,
  name: 'QUERY_ASSIGNMENT',
  from: 'client',
  to: 'broker',
  doc: 'Asks which queues a client of a group consumes, and whether it pulls or pops them.',
  request: {},
  response: {},
  requestBody: 'QueryAssignmentRequestBody JSON',
  responseBody: 'QueryAssignmentResponseBody JSON; {} tells the client to keep what it has',
  access: 'SUB topic and group of the body',
});

export const setMessageRequestMode = command({
  code: 401,
  name: 'SET_MESSAGE_REQUEST_MODE',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Switches a group between pulling and popping a topic.',
  request: {},
  response: {},
  requestBody: 'SetMessageRequestModeRequestBody JSON',
  access: 'SUB topic and group of the body',
});

export const getAllMessageRequestMode = command({
  code: 402,
  name: 'GET_ALL_MESSAGE_REQUEST_MODE',
  from: ['broker', 'admin'],
  to: 'broker',
  doc: 'Dumps what 401 has set.',
  request: {},
  response: {},
  responseBody: '{"messageRequestModeMap":{topic:{group:SetMessageRequestModeRequestBody}}} JSON',
});

/** What a broker serves of this file. */
export const assignmentCommands = { queryAssignment, setMessageRequestMode, getAllMessageRequestMode } as const;
