# The commands of this tree. Everything that they download or build is kept in
# the user's cache, apart from bin/.

.PHONY: setup deb

setup: ## packages that the laboratory needs, on Debian or Ubuntu, as root
	@scripts/setup

deb: ## bootswain's Debian package, in bin/
	@packaging/deb/build bin
