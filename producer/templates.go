package producer

import "github.com/weirflow/weir/decoders/template"

// compiled is what a template became: the plan of its data, or what options data says
// by it. One of the two is nil.
type compiled struct {
	data    *plan
	options *optionsPlan
}

// TemplateStore, TemplateDomain and Template are those of package template, with what
// producers make of templates.
type (
	TemplateStore  = template.Store[compiled]
	TemplateDomain = template.Domain[compiled]
	Template       = template.Template[compiled]
)

// NewStore returns a template store for the producers of all workers.
func NewStore(limits template.Limits) *TemplateStore {
	return template.NewStore(limits, newInterner().compile)
}
