import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.e2e.ts'],
    // One browser and one server for all: in turn, not at once.
    fileParallelism: false,
    // Several times what the slowest takes: a busy machine is no failure.
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
