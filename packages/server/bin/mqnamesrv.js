#!/usr/bin/env node
import { launch } from './launch.js';

launch('mqnamesrv', import.meta.url);
