import projects from './vitest.workspace.ts';
// Also where there are two cores: most tests wait for processes of their own.
export default { test: { projects, maxWorkers: '100%' } };
