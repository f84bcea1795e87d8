import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

// The server writes the way back to the root into <base>, so that the page works
// under any route prefix. The development server has no prefix.
function developmentBase(): Plugin {
  return {
    name: 'development-base',
    apply: 'serve',
    transformIndexHtml: (html) => html.replace('<base href="./" />', '<base href="/" />'),
  };
}

const backend = process.env.HEDGEWATCH_URL ?? 'http://127.0.0.1:9090';

export default defineConfig({
  base: './',
  plugins: [react(), developmentBase()],
  build: {
    // Go embeds dist/ and needs it to exist in a checkout; .gitkeep comes from public/.
    outDir: 'dist',
    target: 'es2022',
    modulePreload: { polyfill: false },
    // The content security policy allows no data: fonts or scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/-/', '/metrics', '/alertmanager'].map((path) => [
        path,
        { target: backend, changeOrigin: true },
      ]),
    ),
  },
  test: { include: ['src/**/*.test.{ts,tsx}'], environment: 'node' },
} as Parameters<typeof defineConfig>[0]);
