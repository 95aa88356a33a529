// Package takeover finds the command lines of goflow2 where people keep them: compose
// files, manifests of Kubernetes, Dockerfiles, units of systemd, environment files and
// shell scripts. Package config translates each of them for weir.
package takeover
