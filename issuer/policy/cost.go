package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// How much checking documents may cost. Each bound is about a tenth of a second of one core at its worst, and far beyond
// what documents of people need.
const (
	// MaxValues is the most values, at all levels together, that documents may have where a policy checks them.
	MaxValues = 1 << 15
	// maxEvaluations is how many pairs of a value and a schema are looked at. Each may leave an error in memory.
	maxEvaluations = 1 << 15
	// maxSteps is how many steps patterns and formats take.
	maxSteps = 1 << 24
	// maxCompared is how many values are compared to find out whether items are unique.
	maxCompared = 1 << 15
)

// A schema that leaves room for fewer values than this, at some depth of documents, is refused when it is read.
const fewestValues = 128

// weight is what one value costs that is checked against a schema.
type weight struct {
	// evaluations is of the value as such, in units of one check of a small schema.
	evaluations float64
	// steps is for each byte of its text, and of the names of its fields.
	steps float64
	// unique is for each comparison of its items with each other.
	unique float64
}

func (w weight) plus(o weight) weight {
	return weight{w.evaluations + o.evaluations, w.steps + o.steps, w.unique + o.unique}
}

func (w weight) most(o weight) weight {
	return weight{math.Max(w.evaluations, o.evaluations), math.Max(w.steps, o.steps), math.Max(w.unique, o.unique)}
}

// limits is, for each depth of documents, the most that one value there can cost. Depth 0 is the documents themselves.
type limits [model.MaxJSONDepth + 1]weight

// place is where a value stands in the one that holds it: under a name, or at a position.
type place struct {
	name  string // a field's; "" with other for any that the schema does not name
	index int    // an item's
	item  bool
	other bool
}

// limits computes what a value can cost at each depth, or says what is wrong with the schema.
//
// A value is checked against a schema, against those that this one applies to the same value (references, allOf and the
// like), and so on: these form a graph, in which a way back to the beginning would never end and is refused. Its fields
// and items are checked against the schemas that all of these apply to them. What one value at depth d costs is the
// most, over all names and positions, of the sum of what it costs one depth further up in each schema applied. Sums over
// a graph of n schemas can be as large as 2^n, which is what a schema bomb lives on; here they are only numbers.
func (r *schemaReader) limits(top *node) (limits, bool) {
	order, loop := sorted(r.nodes)
	if loop != nil {
		r.fault(loop.src, fieldDocuments+shownPointer(loop.pointer), "must not lead back to itself through $ref, allOf, anyOf, oneOf, not, if, then, else or dependentSchemas alone")
		return limits{}, false
	}
	// All is by position in order, as this goes over schemas × places × depths.
	for i, s := range order {
		s.position = i
	}
	same := arrows(order, func(s *node) []*node { return s.inPlace })
	var below [][][]int // for each place
	for _, p := range r.places() {
		below = append(below, arrows(order, func(s *node) []*node { return s.applied(p) }))
	}
	var l limits
	cost := make([]weight, len(order)) // of a value at the present depth below one that is checked against the schema
	for i, s := range order {
		cost[i] = sum(s.weight, cost, same[i])
	}
	l[0] = cost[top.position]
	next, here := make([]weight, len(order)), make([]weight, len(order))
	for depth := 1; depth < len(l); depth++ {
		clear(next)
		for _, applied := range below {
			for i := range order {
				here[i] = sum(sum(weight{}, cost, applied[i]), here, same[i])
				next[i] = next[i].most(here[i])
			}
		}
		cost, next = next, cost
		l[depth] = cost[top.position]
	}
	for depth, w := range l {
		if w.evaluations*fewestValues > maxEvaluations || w.steps > maxPattern || w.unique*fewestValues > maxCompared {
			r.fault(top.src, fieldDocuments, fmt.Sprintf("must be a simpler schema: a value %d levels deep may take %s checks, %s steps of patterns for each byte, and %s comparisons of its items; allowed are %d, %d and %d",
				depth, shownCount(w.evaluations), shownCount(w.steps), shownCount(w.unique), maxEvaluations/fewestValues, maxPattern, maxCompared/fewestValues))
			return limits{}, false
		}
	}
	return l, true
}

// arrows returns, for each schema, the positions of those that it is followed by.
func arrows(order []*node, of func(*node) []*node) [][]int {
	all := make([][]int, len(order))
	for i, s := range order {
		for _, to := range of(s) {
			all[i] = append(all[i], to.position)
		}
	}
	return all
}

func sum(w weight, costs []weight, which []int) weight {
	for _, i := range which {
		w = w.plus(costs[i])
	}
	return w
}

func shownCount(n float64) string {
	if n > 1e9 {
		return "over 1000000000"
	}
	return fmt.Sprintf("%.0f", n)
}

// sorted returns the schemas so that each comes behind those that it applies to the same value, or one that is on a way
// back to itself.
func sorted(nodes []*node) (order []*node, loop *node) {
	const (
		entered = 1
		left    = 2
	)
	state := map[*node]int{}
	var visit func(*node) bool
	visit = func(s *node) bool {
		switch state[s] {
		case entered:
			loop = s
			return false
		case left:
			return true
		}
		state[s] = entered
		for _, same := range s.inPlace {
			if !visit(same) {
				return false
			}
		}
		state[s] = left
		order = append(order, s)
		return true
	}
	for _, s := range nodes {
		if !visit(s) {
			return nil, loop
		}
	}
	return order, nil
}

// places returns all that the schemas make a difference between.
func (r *schemaReader) places() []place {
	names := map[string]bool{}
	positions := 0
	for _, s := range r.nodes {
		for name := range s.fields {
			names[name] = true
		}
		positions = max(positions, len(s.prefix))
	}
	all := []place{{other: true}}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, place{name: name})
	}
	for i := range positions + 1 {
		all = append(all, place{item: true, index: i})
	}
	return all
}

// applied returns the schemas that s applies to a field or an item.
func (s *node) applied(p place) []*node {
	var list []*node
	if p.item {
		switch {
		case p.index < len(s.prefix):
			list = append(list, s.prefix[p.index])
		case s.items != nil:
			list = append(list, s.items)
		}
		return append(list, s.anyItem...)
	}
	if child, named := s.fields[p.name]; named && !p.other {
		list = append(list, child)
	}
	for pattern, child := range s.patterns {
		if re := s.compiled[pattern]; p.other || re != nil && re.MatchString(p.name) {
			list = append(list, child)
		}
	}
	// Another name may match no pattern, or all of them; both are counted.
	if s.others != nil && (len(list) == 0 || p.other) {
		list = append(list, s.others)
	}
	return append(list, s.always...)
}

// size is how much documents hold at one depth.
type size struct {
	values   float64 // with the fields and items of each, which have to be gone through
	bytes    float64 // of texts and names
	compared float64 // so many values may be compared to find equal items
}

// measure adds up documents by depth. It returns how many values there are at v and below.
func measure(v any, depth int, sizes *[model.MaxJSONDepth + 1]size) float64 {
	here := &sizes[min(depth, model.MaxJSONDepth)]
	here.values++
	total, nested := 1.0, false
	switch v := v.(type) {
	case map[string]any:
		here.values += float64(len(v)) / 4
		for name, field := range v {
			here.bytes += float64(len(name))
			total += measure(field, depth+1, sizes)
		}
	case []any:
		here.values += float64(len(v)) / 4
		for _, item := range v {
			n := measure(item, depth+1, sizes)
			nested = nested || n > 1
			total += n
		}
		// Items without parts are told apart by their hash. For others one can find many with the same hash, so that
		// each has to be compared with each.
		if here.compared += total; nested {
			here.compared += total * float64(len(v))
		}
	case string:
		here.bytes += float64(len(v))
	case json.Number:
		here.bytes += float64(len(v))
	}
	return total
}

// affordable says whether documents can be checked within the bounds.
func (l *limits) affordable(documents any) error {
	var sizes [model.MaxJSONDepth + 1]size
	if measure(documents, 0, &sizes) > MaxValues {
		return model.BadRequest(fieldDocuments, fmt.Sprintf("must be smaller: they must not have more than %d fields and items, at all levels together", MaxValues))
	}
	var total weight
	for depth, s := range sizes {
		total = total.plus(weight{s.values * l[depth].evaluations, s.bytes * l[depth].steps, s.compared * l[depth].unique})
	}
	switch {
	case total.evaluations > maxEvaluations:
		return model.BadRequest(fieldDocuments, fmt.Sprintf("must be smaller: they hold %s times as many fields and items as can be checked", times(total.evaluations/maxEvaluations)))
	case total.steps > maxSteps:
		return model.BadRequest(fieldDocuments, fmt.Sprintf("must be smaller: they hold %s times as much text as can be checked", times(total.steps/maxSteps)))
	case total.unique > maxCompared:
		return model.BadRequest(fieldDocuments, fmt.Sprintf("must have shorter lists: they take %s times as many comparisons as can be made", times(total.unique/maxCompared)))
	}
	return nil
}

func times(ratio float64) string { return fmt.Sprintf("%.1f", math.Ceil(ratio*10)/10) }
