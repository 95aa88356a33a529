package app
func checkCommand(env Env, args []string) int { return 0 }
func runCommand(env Env, args []string) int { return 0 }
