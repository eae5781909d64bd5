# frozen_string_literal: true

module WaysideRuntime
  # What INIT asks for: variables, working directory, where files and gems are looked for.
  module Environment
    TASK_ROOT = '/var/task'
    LAYER_FOLDER = '/opt/ruby'

    # Make `variables` (name → value) the process's own, and the function's folder its home.
    def self.enter(variables)
      ENV.replace(variables) # nothing of the engine's own environment reaches user code; TZ takes effect with it
      task_root = variables.fetch('LAMBDA_TASK_ROOT', TASK_ROOT)
      Dir.chdir(task_root)
      libraries = variables.fetch('RUBYLIB', '').split(File::PATH_SEPARATOR)
      $LOAD_PATH.unshift(*[task_root, "#{LAYER_FOLDER}/lib", *libraries].uniq)
      use_gems(task_root, variables.fetch('GEM_PATH', ''))
    end

    # Gems are looked for in the bundle, in layers, in GEM_PATH, and among those that come with the interpreter.
    def self.use_gems(task_root, gem_path)
      folders = gem_folders("#{task_root}/vendor/bundle/ruby") + gem_folders("#{LAYER_FOLDER}/gems")
      folders += gem_path.split(File::PATH_SEPARATOR)
      folders += Gem.default_path - [Gem.user_dir]
      Gem.paths = { 'GEM_HOME' => folders.first, 'GEM_PATH' => folders.uniq.join(File::PATH_SEPARATOR) }
    end

    # The folders of gems below `parent`, one for each version of Ruby that it was made for, ours first: gems without
    # compiled parts work under all of them.
    def self.gem_folders(parent)
      return [] unless File.directory?(parent)

      own = RbConfig::CONFIG['ruby_version']
      Dir.children(parent).sort.partition { |version| version == own }.flatten.map { |version| "#{parent}/#{version}" }
    end

    # Tell tracing libraries which trace the running call belongs to.
    def self.trace_id=(trace_id)
      ENV['_X_AMZN_TRACE_ID'] = trace_id.empty? ? nil : trace_id
    end

    private_class_method :use_gems, :gem_folders
  end
end
