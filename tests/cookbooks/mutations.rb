# See tests/cookbooks/mutations.
require 'chefspec'
require 'etc'
require 'fileutils'
require 'rspec/core'
require 'rubocop-ast'
require 'tmpdir'

COOKBOOKS = File.expand_path('../../cookbooks', __dir__)
SPECS = { 'dhcp_server' => 'dhcp', 'mirror_server' => 'mirror', 'ci_server' => 'ci', 'mirror_client' => 'client' }.freeze
OWN = Dir["#{COOKBOOKS}/*/resources/*.rb"].map { |file| File.read(file)[/^provides :(\w+)/, 1].to_sym }.freeze
RESOURCES = (Chef::DSL::Resources.instance_methods + OWN).freeze

Mutation = Struct.new(:file, :line, :what, :text) do
  def cookbook
    file.split('/').first
  end
end

# Each statement of a file that declares a resource, with the file's text without it.
def mutations(file)
  text = File.read("#{COOKBOOKS}/#{file}")
  tree = RuboCop::AST::ProcessedSource.new(text, 3.1).ast
  tree.each_node(:send).filter_map do |call|
    next unless call.receiver.nil? && RESOURCES.include?(call.method_name) && !call.arguments.empty?

    node = call.block_node || call
    next unless statement?(node)

    range = node.source_range
    Mutation.new(file, call.first_line, call.source.lines.first.chomp, text[0...range.begin_pos] + 'nil' + text[range.end_pos..])
  end
end

# Properties such as `package 'x'` inside a resource's block look alike; none of ours does, but
# `user`, `group`, `directory` and `link` are words of both.
def statement?(node)
  outer = node.each_ancestor(:block).first
  outer.nil? || !RESOURCES.include?(outer.method_name)
end

# Run a cookbook's spec against a copy of the cookbooks; true when it fails.
def noticed?(mutation, cookbook)
  # ChefSpec takes only a path that has the word in it.
  Dir.mktmpdir('cookbooks') do |copy|
    FileUtils.cp_r("#{COOKBOOKS}/.", copy)
    File.write("#{copy}/#{mutation.file}", mutation.text) if mutation
    child = fork do
      ENV['COOKBOOKS'] = copy
      $stdout.reopen(File::NULL)
      $stderr.reopen(File::NULL)
      Object.send(:remove_const, :COOKBOOKS)
      exit!(RSpec::Core::Runner.run(['--fail-fast', '--order', 'defined', "#{__dir__}/#{SPECS.fetch(cookbook)}_spec.rb"]).to_i)
    end
    !Process.wait2(child).last.success?
  end
end

$stdout.sync = true
chosen = ARGV.empty? ? SPECS.keys : ARGV
chosen.map { |part| part.split('/').first }.uniq.each { |cookbook| abort("#{cookbook}: its spec fails without a mutation") if noticed?(nil, cookbook) }

files = Dir.glob('*/{recipes,resources}/*.rb', base: COOKBOOKS).select { |file| chosen.any? { |part| "#{file}/".start_with?("#{part}/") } }.sort
todo = Queue.new(files.flat_map { |file| mutations(file) }).close
total = todo.size
unnoticed = Queue.new
Array.new([Etc.nprocessors, 4].min) do
  Thread.new do
    while (mutation = todo.pop)
      seen = noticed?(mutation, mutation.cookbook)
      unnoticed << mutation unless seen
      puts "#{seen ? 'noticed' : 'UNNOTICED'}  #{mutation.file}:#{mutation.line}  without #{mutation.what}"
    end
  end
end.each(&:join)
puts "#{total} mutations, #{unnoticed.size} unnoticed"
exit(unnoticed.empty?)
