import '@eventify/web/base.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { connect } from './host';

const target = document.getElementById('app');
if (!target) throw new Error('the page has no place for the app');
mount(App, { target, props: { host: await connect() } });
