// Pane 7, the beam: hypotheses with their log-probabilities, where a trace has them.

const beamPane = {
  id: 'beam',
  available: () => (trace().json.views?.beam ?? []).length > 0,
  draw() {
    const nodes = trace().json.views.beam,
      under = new Map();
    for (const node of nodes)
      under.set(node.parent ?? -1, [...(under.get(node.parent ?? -1) ?? []), node]);
    const roots = nodes.filter((n) => !nodes.some((p) => p.id === n.parent));
    const item = (node, depth) =>
      h(
        'li',
        {},
        h('span', {class: 'token'}, h('bdi', {}, String(node.tok))),
        h('span', {class: 'soft'}, ` ${num(Number(node.logp))} nat `),
        node.rank ? h('b', {}, `#${node.rank} `) : null,
        Number.isInteger(node.tensor) &&
          trace().tensors[node.tensor] &&
          button(t('look_at'), () => look({tensor: node.tensor}), {
            class: 'link',
            'data-key': `beam${node.id}`,
          }),
        depth < 60 && under.get(node.id)?.length
          ? h(
              'ul',
              {},
              under.get(node.id).map((n) => item(n, depth + 1)),
            )
          : null,
      );
    return [
      h('p', {class: 'soft'}, t('beam_text')),
      h(
        'ul',
        {class: 'beam'},
        roots.map((n) => item(n, 0)),
      ),
    ];
  },
  table: () => ({
    columns: [t('hypothesis'), t('parent'), t('token'), t('logp'), t('rank')],
    rows: trace().json.views.beam.map((n) => ({
      cells: [n.id, n.parent ?? '–', n.tok, num(Number(n.logp)), n.rank ?? ''],
    })),
  }),
};
