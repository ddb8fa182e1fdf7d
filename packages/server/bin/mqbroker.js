#!/usr/bin/env node
import { launch } from './launch.js';

launch('mqbroker', import.meta.url);
