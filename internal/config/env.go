package config

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// scanEnv picks the options out of the environment, in its order, and returns
// a warning for each other variable that begins with WEIR_.
func (t *Table) scanEnv(environ []string) (settings []setting, warnings []string) {
	own := envNames(t.Options)
	others := envNames(t.Others)
	var known []string
	for _, o := range t.Options {
		if e := o.Env(); e != "" {
			known = append(known, e)
		}
	}
	for _, kv := range environ {
		env, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(env, option.EnvPrefix) {
			continue
		}
		if name, ok := own[env]; ok {
			settings = append(settings, setting{option: name, name: env, text: value})
			continue
		}
		if _, ok := others[env]; ok || isServiceEnv(env) {
			continue
		}
		why := unknown("variable", "", env, known)
		if old := findOldEnv(env); old != nil && old.to != "" {
			why = "old name; set " + option.EnvName(old.to)
		} else if old != nil {
			why = strings.ReplaceAll(old.inFile(), "remove it", "unset it")
		}
		warnings = append(warnings, fmt.Sprintf("%s is ignored: %s", env, why))
	}
	return settings, warnings
}

// envNames maps environment variables to the names of options.
func envNames(options []option.Option) map[string]string {
	m := make(map[string]string, len(options))
	for _, o := range options {
		if e := o.Env(); e != "" {
			m[e] = o.Name
		}
	}
	return m
}

// isServiceEnv tells the variables that Kubernetes gives every pod for a
// service called weir (WEIR_SERVICE_HOST, WEIR_PORT_2055_UDP_ADDR and so on),
// which nobody wrote.
func isServiceEnv(env string) bool {
	return env == "WEIR_PORT" || strings.HasPrefix(env, "WEIR_PORT_") || strings.HasPrefix(env, "WEIR_SERVICE_")
}
