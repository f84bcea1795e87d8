import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  completionStatus,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder as placeholderText } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef, useState } from 'react';
import { useApi } from '../../app/context';
import styles from '../PromQLEditor.module.css';
import type { CodeEditorProps } from '../PromQLEditor';

const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--hw-code-keyword)' },
  { tag: [tags.function(tags.variableName), tags.modifier], color: 'var(--hw-code-function)' },
  { tag: tags.labelName, color: 'var(--hw-code-label)' },
  { tag: tags.string, color: 'var(--hw-code-string)' },
  { tag: tags.number, color: 'var(--hw-code-number)' },
  { tag: tags.operator, color: 'var(--hw-dim)' },
  { tag: tags.comment, color: 'var(--hw-faint)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--hw-bad)' },
]);

const look = EditorView.theme({
  '&': { backgroundColor: 'transparent', color: 'var(--hw-text)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { fontFamily: 'var(--hw-mono)', padding: '6px 2px', caretColor: 'var(--hw-strong)' },
  '.cm-placeholder': { color: 'var(--hw-faint)' },
  '.cm-cursor': { borderLeftColor: 'var(--hw-strong)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--hw-accent-soft) !important',
  },
  '.cm-matchingBracket': { backgroundColor: 'var(--hw-accent-soft)', outline: 'none' },
  '.cm-tooltip': {
    backgroundColor: 'var(--hw-raised)',
    border: '1px solid var(--hw-border-strong)',
    borderRadius: '6px',
    overflow: 'hidden',
  },
  '.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--hw-mono)', fontSize: '12.5px', maxHeight: '300px' },
  '.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--hw-accent-soft)',
    color: 'var(--hw-strong)',
  },
  '.cm-completionDetail': { color: 'var(--hw-dim)', fontStyle: 'normal', marginLeft: '10px' },
  '.cm-completionInfo': { padding: '6px 10px', maxWidth: '360px' },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--hw-accent)' },
});

/** Grafana's $names are no PromQL: the linter would call each query with one broken. */
const hasVariables = (text: string) => /\$|\[\[/.test(text);

export default function CodeEditor({
  value,
  onChange,
  onRun,
  label = 'PromQL',
  placeholder,
  readOnly,
  waitingId,
}: CodeEditorProps) {
  const { http } = useApi();
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const live = useRef({ onChange, onRun });
  live.current = { onChange, onRun };
  const initial = useRef(value);
  // What is typed next must not get lost: while this is rendered the field is still there.
  const [takesOver] = useState(() => document.activeElement?.id === waitingId);
  const lint = !hasVariables(value);

  useEffect(() => {
    if (!host.current) return;
    const promql = new PromQLExtension()
      .setComplete({
        remote: { url: http.root.pathname.replace(/\/$/, ''), fetchFn: (input, init) => fetch(input, init) },
      })
      .activateLinter(lint);
    const run = () => {
      if (completionStatus(view.current!.state) === 'active') return false;
      live.current.onRun?.();
      return live.current.onRun !== undefined;
    };
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: view.current?.state.doc ?? initial.current,
        extensions: [
          history(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          promql.asExtension(),
          syntaxHighlighting(highlight),
          look,
          EditorView.lineWrapping,
          EditorState.readOnly.of(readOnly ?? false),
          EditorView.contentAttributes.of({ 'aria-label': label }),
          placeholderText(placeholder ?? ''),
          Prec.highest(
            keymap.of([
              { key: 'Tab', run: acceptCompletion },
              { key: 'Enter', run },
              { key: 'Shift-Enter', run: insertNewlineAndIndent },
            ]),
          ),
          keymap.of([
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...historyKeymap,
            ...completionKeymap,
            ...lintKeymap,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) live.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    const hadFocus = view.current ? view.current.hasFocus : takesOver;
    if (!view.current) made.dispatch({ selection: { anchor: made.state.doc.length } });
    view.current = made;
    if (hadFocus) made.focus();
    return () => {
      // Kept until the next one has taken its text over.
      made.destroy();
    };
  }, [http, lint, label, placeholder, readOnly, takesOver]);

  useEffect(() => {
    const current = view.current;
    if (current && current.state.doc.toString() !== value) {
      current.dispatch({ changes: { from: 0, to: current.state.doc.length, insert: value } });
    }
  }, [value]);

  return <div ref={host} className={styles.editor} />;
}
