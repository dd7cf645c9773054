# ChefSpec before Chef: it replaces parts of it.
require 'chefspec'
require 'tmpdir'

CHECKOUT = File.expand_path('../..', __dir__)
# tests/cookbooks/mutations points this at a copy.
COOKBOOKS = File.realpath(ENV.fetch('COOKBOOKS', File.join(CHECKOUT, 'cookbooks')))
PLATFORMS = {
  'EL 8' => %w(almalinux 8), 'EL 9' => %w(almalinux 9), 'EL 10' => %w(almalinux 10),
  'Debian 12' => %w(debian 12), 'Debian 13' => %w(debian 13)
}.freeze
TOO_OLD = { 'EL 7' => %w(centos 7.8) }.freeze

# By the path that Chef loads them from, so that they are loaded once.
Dir["#{COOKBOOKS}/*/libraries/*.rb"].sort.each { |file| require file }

RSpec.configure do |config|
  config.cookbook_path = COOKBOOKS
  config.log_level = :fatal
  config.expect_with(:rspec) { |expectations| expectations.syntax = :expect }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
end

# Converge a recipe on one platform, stepping into our own resources.
def converge(recipe, platform, step_into: [], &attributes)
  name, version = PLATFORMS.merge(TOO_OLD).fetch(platform)
  runner = ChefSpec::SoloRunner.new(platform: name, version: version, step_into: step_into, &attributes)
  runner.converge("#{recipe}::default")
end

def debian?(platform)
  platform.start_with?('Debian')
end

# Render one template of a cookbook by Chef's own means, as the recipe under test would.
def rendered(chef_run, path)
  resource = chef_run.find_resource(:template, path)
  ChefSpec::Renderer.new(chef_run, resource).content
end

# The commands that test a file before it is written.
def tests_of(resource)
  resource.verify.map { |verification| verification.instance_variable_get(:@command) }
end
