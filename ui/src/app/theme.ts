import {
  ActionIcon,
  Button,
  createTheme,
  localStorageColorSchemeManager,
  Select,
  TextInput,
  Tooltip,
  type MantineColorsTuple,
} from '@mantine/core';

const iris: MantineColorsTuple = [
  '#e9f1ff',
  '#d0e0ff',
  '#a6c6ff',
  '#82b1ff',
  '#6ea8ff',
  '#5593f5',
  '#2c67cf',
  '#1f5fd0',
  '#184eae',
  '#103d8b',
];

const slate: MantineColorsTuple = [
  '#d8dfea',
  '#b4bfcf',
  '#8c98ab',
  '#5d697d',
  '#2c384c',
  '#1e2736',
  '#182030',
  '#11161f',
  '#0d1118',
  '#0a0d13',
];

export const theme = createTheme({
  primaryColor: 'iris',
  primaryShade: { light: 7, dark: 6 },
  colors: { iris, dark: slate },
  fontFamily: 'var(--hw-font)',
  fontFamilyMonospace: 'var(--hw-mono)',
  defaultRadius: 6,
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({ defaultProps: { size: 'xs' } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 30 } }),
    Select: Select.extend({ defaultProps: { size: 'xs', allowDeselect: false, checkIconPosition: 'right' } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'xs' } }),
    // By name: imported here they would be part of the first page.
    Modal: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    // The hues of its kinds are too light for text.
    Alert: { styles: { title: { color: 'var(--mantine-color-text)' } } },
    Drawer: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 350, withinPortal: true } }),
  },
});

/** The same key as in public/theme.js, which reads it before the first paint. */
export const colorSchemeManager = localStorageColorSchemeManager({ key: 'hedgewatch.theme' });
