import './styles/mantine';
import { createRoot } from 'react-dom/client';
import { createApi } from './api';
import { App } from './app/App';
import { translateLink } from './app/oldLinks';

// The server wrote into <base> where its root is, route prefix included.
const root = new URL(document.baseURI);
const { pathname, search, hash } = window.location;
const moved = translateLink(pathname.slice(root.pathname.length), search, hash);
if (moved !== undefined) window.history.replaceState(null, '', new URL(moved, root));

const api = createApi(root);
createRoot(document.getElementById('root') as HTMLElement).render(<App api={api} />);
